#!/usr/bin/env bash
# Writes down the store paths that a command prints, with the version in the environment of the command.
set -euo pipefail

paths=$PWD/paths/paths
VERSION=$(cat version/version)
COMMITHASH=$(git -C repo rev-parse HEAD)
export VERSION COMMITHASH
cd repo
bash -euo pipefail -c "$COMMAND" >"$paths"
