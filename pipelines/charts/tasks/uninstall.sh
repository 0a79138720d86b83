#!/usr/bin/env bash
# Removes the release of a test flight. What it has outside of its namespace would outlive the namespace and block the next flight.
set -euo pipefail

helm uninstall "$RELEASE" --namespace "$NAMESPACE" --ignore-not-found --wait --timeout "$TIMEOUT"
