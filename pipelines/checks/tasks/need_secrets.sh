#!/usr/bin/env bash
# Says which secret is missing before anything of the pull request runs.
set -euo pipefail
for name in $NEEDED; do
  if [ -z "${!name-}" ]; then
    echo "::error title=secret missing::$name is empty. Pull requests of forks and of Dependabot get no secrets: somebody with write access pushes the branch to this repository and opens the pull request from there."
    exit 1
  fi
done
