#!/usr/bin/env bash
# Deploys one environment. It runs in the folder of the environment, with DEPLOYMENT and ENVIRONMENT set, and sees the files that
# cepler.yml gives to the environment. The chart is in {{.Vendored}}/{{.Content}}, from the root of the repository.
set -euo pipefail

echo "deploying $DEPLOYMENT to $ENVIRONMENT"
