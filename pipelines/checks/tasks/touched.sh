#!/usr/bin/env bash
# Says whether the pull request touches files that the check is about. HEAD is its merge into the base branch.
set -euo pipefail
touched=true
if [ "$EVENT" = pull_request ]; then
  mapfile -t patterns <<<"$GLOBS"
  files=$(git diff --name-only --no-renames HEAD^1 HEAD -- "${patterns[@]/#/:(glob)}")
  if [ -z "$files" ]; then touched=false; fi
fi
echo "touched=$touched" | tee -a "$GITHUB_OUTPUT"
