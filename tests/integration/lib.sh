#!/bin/bash
# SPDX-License-Identifier: MIT
# What the scripts here share: TAP, a daemon, and the sanitised utmemctl.
. "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"
UTMEMCTL=${UTMEMCTL:-${B:-build}/asan/utmemctl}
. "$(dirname "${BASH_SOURCE[0]}")/../daemon.sh"
