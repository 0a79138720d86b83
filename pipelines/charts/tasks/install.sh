#!/usr/bin/env bash
# Installs the chart into the namespace of a test flight and waits until everything is ready. An earlier flight of the same
# commit that was cut off may have left the release.
set -euo pipefail

dependencies "./$CHART"
helm uninstall "$RELEASE" --namespace "$NAMESPACE" --ignore-not-found --wait --timeout "$TIMEOUT"
helm install "$RELEASE" "./$CHART" --namespace "$NAMESPACE" --values "./$VALUES" \
  --wait --wait-for-jobs --timeout "$TIMEOUT" || { evidence && exit 1; }
