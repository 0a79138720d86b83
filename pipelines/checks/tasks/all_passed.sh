#!/usr/bin/env bash
# Stands for all jobs of the matrix. A job that was skipped has not passed.
set -euo pipefail
echo "$RESULT"
[ "$RESULT" = success ]
