#!/usr/bin/env bash
# Runs the scripts of one app.
set -euo pipefail
cd "$APP"
pnpm install --frozen-lockfile
for script in $SCRIPTS; do pnpm run "$script"; done
