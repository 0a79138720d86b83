#!/usr/bin/env bash
# Installs the chart into the namespace of a test flight and waits until everything is ready.
set -euo pipefail

helm dependency build "$CHART"
helm install "$RELEASE" "$CHART" --namespace "$NAMESPACE" --values "$VALUES" --wait --timeout "$TIMEOUT"
