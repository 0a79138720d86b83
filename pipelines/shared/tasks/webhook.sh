#!/usr/bin/env bash
# Tells an address that a job failed. The address is a secret: curl reads it from a file.
set -euo pipefail

if ! said=$(curl --silent --show-error --fail --max-time 30 --retry 3 --output /dev/null \
  --header 'Content-Type: application/json' --data "$MESSAGE" --config <(printf 'url = "%s"\n' "$URL") 2>&1); then
  echo "the webhook did not take the message about this job: $said" >&2
  echo "this is not why the job failed: the reason is above, before this message" >&2
  exit 1
fi
