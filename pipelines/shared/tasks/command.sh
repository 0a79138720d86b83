#!/usr/bin/env bash
# Runs a command in the root of the repository.
set -euo pipefail

cd repo
bash -euo pipefail -c "$COMMAND"
