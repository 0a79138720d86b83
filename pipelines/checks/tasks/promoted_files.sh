#!/usr/bin/env bash
# Names the files that a promotion may not touch.
set -euo pipefail
mapfile -t globs <<<"$ALLOWED"
touched=$(git diff --name-only --no-renames "$BASE...$HEAD" -- . "${globs[@]/#/:(exclude,glob)}")
if [ -n "$touched" ]; then
  echo "::error title=promotion::A merge would release nothing: the pull request may only change ${globs[*]}. Take the other changes to a pull request of their own."
  printf '%s\n' "$touched"
  exit 1
fi
