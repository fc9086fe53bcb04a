#!/bin/sh
# What the build server runs, and what you run by hand before you push.
# It ends with 1 if a circuit has an error, a bypass around the bus too, or if an example fails.
set -eu
cd "$(dirname "$0")/.."
arqon=${ARQON:-arqon}

# The findings as a document, for the code host.
"$arqon" check --format sarif circuits > arqon.sarif || true
# The same for people; this one decides.
"$arqon" check circuits
"$arqon" test circuits --junit arqon-tests.xml
