#!/usr/bin/env bash
# Installs or upgrades one Helm release and waits until it is ready; helm rolls back what does not get there.
set -euo pipefail
umask 077

KUBECONFIG=$(mktemp)
trap 'rm -f "$KUBECONFIG"' EXIT
printf '%s\n' "$KUBECONFIG_TEXT" >"$KUBECONFIG"
export KUBECONFIG

helm upgrade "$RELEASE" "repo/$CHART" --install --atomic --timeout "$TIMEOUT" \
  --namespace "$NAMESPACE" --create-namespace --values "repo/$DIRECTORY/$VALUES"
