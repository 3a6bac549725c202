#!/usr/bin/env bash
# Banyan as a user gets it: installed, moved, found by find_package and by pkg-config, static and shared;
# and as a folder of the user's own project.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$PWD/build/consumer
rm -rf "$work"
mkdir -p "$work"

build_and_test() {  # <name> <cmake argument>...
  local name=$1
  shift
  echo "consumer: $name"
  cmake -G Ninja -S tests/consumer -B "$work/$name" -DCMAKE_BUILD_TYPE=Release "$@" >"$work/log" 2>&1 &&
    cmake --build "$work/$name" >>"$work/log" 2>&1 &&
    ctest --test-dir "$work/$name" --output-on-failure --no-tests=error >>"$work/log" 2>&1 || {
    cat "$work/log"
    echo "consumer: $name failed"
    exit 1
  }
}

with_pkg_config() {  # <name> <prefix> <pkg-config argument>...
  local name=$1 prefix=$2
  shift 2
  echo "consumer: $name"
  local pc
  pc=$(dirname "$(find "$prefix" -name banyan.pc)")
  # shellcheck disable=SC2046  # the flags are words
  c++ -std=c++20 tests/consumer/app.cc -o "$work/$name" \
    $(PKG_CONFIG_PATH=$pc pkg-config "$@" --cflags --libs banyan) -Wl,-rpath,"$(dirname "$pc")"
  "$work/$name"
}

for kind in static shared; do
  preset=release
  [ "$kind" = static ] || preset=shared
  cmake --preset $preset >/dev/null
  cmake --build --preset $preset --target banyan banyan_http banyan_testing banyan_tool
  cmake --install build/$preset --prefix "$work/made/$kind" >/dev/null
  mkdir -p "$work/moved"
  mv "$work/made/$kind" "$work/moved/$kind"
  # Neither the place it was made in nor the one it was installed to may be written in it.
  if grep -rlF -e "$PWD/lib" -e "$PWD/build/release" -e "$work/made" "$work/moved/$kind" \
      --include='*.cmake' --include='*.pc' --include='*.h'; then
    echo "consumer: the files above name the place they were made in"
    exit 1
  fi
done

# The tool finds its library where it was moved to.
for kind in static shared; do
  echo "consumer: the tool, $kind"
  [ "$("$work/moved/$kind/bin/banyan" match -e '{"a": [1]}' <<<'{"a": 1}')" = '{"a": 1}' ]
done

# A shared library shows our names only (weak ones are the compiler's copies of templates).
if nm -DC --defined-only "$work"/moved/shared/lib*/libbanyan.so | grep -E ' [TDBR] ' | grep -v ' banyan::'
then
  echo "consumer: the names above should not be exported"
  exit 1
fi

build_and_test find_package_static -DCMAKE_PREFIX_PATH="$work/moved/static"
build_and_test find_package_shared -DCMAKE_PREFIX_PATH="$work/moved/shared"
build_and_test add_subdirectory -DBANYAN_SOURCE="$PWD" -DBANYAN_BUILD_TESTING=ON
with_pkg_config pkg_config_static "$work/moved/static" --static
with_pkg_config pkg_config_shared "$work/moved/shared"
echo "consumer: 5 ways, all work"
