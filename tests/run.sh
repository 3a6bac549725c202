#!/usr/bin/env bash
# Runs the tests on a fresh machine: installs what is missing, builds, runs, sums up.
# Arguments go to ctest: tests/run.sh -R queue_test
set -euo pipefail
cd "$(dirname "$0")/.."
source .ci/dependencies.sh

started=$SECONDS
install_packages $build_packages
cmake --preset release
cmake --build --preset release
built=$SECONDS

results=$PWD/build/release/tests.xml
rm -f "$results"
failed=0
ctest --preset release --progress --parallel "$(nproc)" --output-junit "$results" "$@" </dev/null || failed=$?

# The attributes of the report's first line: tests, failures, disabled, skipped.
count() { sed -nE "s/.*\b$1=\"([0-9]+)\".*/\1/p;" <(grep -A 8 -m 1 '<testsuite' "$results") | head -n 1; }
echo
if [ -s "$results" ]; then
  echo "Tests   $(($(count tests) - $(count failures) - $(count skipped) - $(count disabled))) passed," \
    "$(count failures) failed, $(($(count skipped) + $(count disabled))) skipped"
fi
echo "Time    $(minutes $((SECONDS - started))): packages and build $(minutes $((built - started)))," \
  "tests $(minutes $((SECONDS - built)))"
exit $failed
