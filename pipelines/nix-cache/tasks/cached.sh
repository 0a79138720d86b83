#!/usr/bin/env bash
# Runs a command that builds with nix, and pushes each result to the cache as soon as it is built.
set -euo pipefail

if [ -e version/version ]; then
  VERSION=$(cat version/version)
  COMMITHASH=$(git -C repo rev-parse HEAD)
  export VERSION COMMITHASH
fi
cd repo
cachix use "$CACHE"
cachix watch-exec "$CACHE" -- bash -euo pipefail -c "$COMMAND"
