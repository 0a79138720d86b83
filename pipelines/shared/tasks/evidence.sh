#!/usr/bin/env bash
# evidence: shows the pods and events of the namespace, and the last log lines of pods that are not ready. It never fails.
set -euo pipefail

look() { kubectl --namespace "$NAMESPACE" --request-timeout 10s "$@" || true; }

evidence() {
  command -v kubectl >/dev/null || { echo "no pods, events and logs are shown: the image has no kubectl" && return 0; }
  look get pods --output wide
  look get events --sort-by .lastTimestamp | tail -n 30
  look get pods --no-headers | while read -r pod ready _; do
    [ "${ready%/*}" = "${ready#*/}" ] || look logs "$pod" --all-containers --prefix --tail 20
  done
} >&2
