#!/usr/bin/env bash
# Runs the main job on a fresh machine: installs what is missing, builds the examples, runs the shop,
# asks why events match no pattern and which of 100,000 rules want one, then replays event files: those given, or a sample, and some
# hundred thousand made-up events.
set -euo pipefail
cd "$(dirname "$0")/.."
source .ci/dependencies.sh

started=$SECONDS
install_packages $build_packages
cmake --preset release
cmake --build --preset release --target examples
built=$SECONDS

echo
build/release/examples/shop

echo
build/release/examples/07_explain

echo
build/release/examples/08_rule_set

replay=build/release/examples/replay
events=("$@")
[ ${#events[@]} -gt 0 ] || events=(tests/data/replay/sample.ndjson)
echo
"$replay" examples/replay/aws.rules.json "${events[@]}"
echo
"$replay" --show 0 examples/replay/generated.rules.json --generate 300000
echo
echo "Time    $(minutes $((SECONDS - started))): packages and build $(minutes $((built - started)))," \
  "examples $(minutes $((SECONDS - built)))"
