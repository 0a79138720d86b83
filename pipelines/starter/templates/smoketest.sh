#!/usr/bin/env bash
# Says whether {{.Chart}} works in its test flight: exit status 0 if so. NAMESPACE and RELEASE are set, and kubectl has its cluster.
set -euo pipefail

kubectl --namespace "$NAMESPACE" wait --for=condition=Available deployment --all --timeout=120s
