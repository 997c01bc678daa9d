#!/bin/sh
# Builds the images of all functions, of castor and of castor-connector, for "make images".
#   CASTOR_REGISTRY, CASTOR_VERSION   the images' names: castor/<name>:latest if not set
#   PLATFORMS, PUSH=1                 such as linux/amd64,linux/arm64; several can only be pushed
set -eu
cd "$(dirname "$0")/../.."
say() { echo "make images: $*" >&2; exit 1; }
command -v docker >/dev/null || say "Docker is missing; install it with its buildx plugin (https://docs.docker.com/engine/install)."
docker buildx version >/dev/null 2>&1 || say "Docker's buildx plugin is missing; install docker-buildx-plugin."
command -v faas-cli >/dev/null || say "faas-cli is missing, which lays the functions' build contexts out; install it (https://docs.openfaas.com/cli/install)."
docker info >/dev/null 2>&1 || say "Docker's daemon does not answer; start it, or let this user at it."

export CASTOR_REGISTRY="${CASTOR_REGISTRY:-castor}" CASTOR_VERSION="${CASTOR_VERSION:-latest}"
out=--load
[ -z "${PUSH:-}" ] || out=--push
image() { # name, context, further options
	name=$1 context=$2
	shift 2
	docker buildx build $out ${PLATFORMS:+--platform "$PLATFORMS"} --tag "$CASTOR_REGISTRY/$name:$CASTOR_VERSION" "$@" "$context"
}

# What people see is built into function console's image; without Node.js its address says what is missing.
make --no-print-directory console

rm -rf build
faas-cli build --shrinkwrap --yaml stack.yml
for context in build/*/; do
	image "$(basename "$context")" "$context"
done
for name in castor castor-connector; do
	image "$name" . --file infra/images/Dockerfile --target "$name" --build-arg "VERSION=$CASTOR_VERSION"
done
