# Sourced by tests/run.sh, examples/run.sh and .ci/*: what Banyan needs from Debian 12, and how to get
# what is missing. As root or through sudo; where neither works, says the one line that would.

# To build, test and run.
build_packages="g++ cmake ninja-build pkg-config libabsl-dev libboost1.81-dev rapidjson-dev libssl-dev
  libsimdjson-dev libmimalloc-dev libsqlite3-dev libcurl4-openssl-dev libgtest-dev libgmock-dev
  libbenchmark-dev tzdata"

# For the sanitizers, the fuzzer and the checks.
ci_packages="clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 ccache dpkg-dev git"

# install_packages <package>...: installs those that are not there.
install_packages() {
  local missing=() package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
      missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0

  local line="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    # sudo may ask for a password, but only somebody who is there to type it.
    if ! command -v sudo >/dev/null || ! { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
      echo "Some packages are missing. As root, run:" >&2
      echo "  $line" >&2
      exit 1
    fi
    as_root=(sudo)
  fi
  echo "Installing from Debian: ${missing[*]}"
  local log
  log=$(mktemp)
  if ! "${as_root[@]}" bash -c "export DEBIAN_FRONTEND=noninteractive; $line" \
      >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    echo "That did not work. As root, run:" >&2
    echo "  $line" >&2
    exit 1
  fi
  rm -f "$log"
}

# fetch_source <source package> <version> <folder>: unpacks a Debian source package in the folder. The
# machine's own package sources are read as they are, with deb-src in place of deb, and kept apart
# from the machine's state: needs no root and leaves nothing behind.
fetch_source() {
  local apt=$3/apt file
  mkdir -p "$apt/sources" "$apt/lists/partial" "$apt/cache/archives/partial"
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    [ -f "$file" ] || continue
    case $file in
      *.sources) sed -E 's/^Types:.*/Types: deb-src/' "$file" ;;
      *.list) sed -nE 's/^[[:space:]]*deb([[:space:]])/deb-src\1/p' "$file" ;;
      *) continue ;;
    esac >"$apt/sources/$(basename "$file")"
  done
  local options=(-o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$apt/sources"
    -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=)
  apt-get "${options[@]}" update
  (cd "$3" && apt-get "${options[@]}" source "$1=$2")
}

# minutes <seconds>: 75 -> 1.2 min
minutes() { printf '%d.%d min' $(($1 / 60)) $(($1 % 60 / 6)); }
