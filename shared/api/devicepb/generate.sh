#!/bin/sh
# Generates the Go code of device.proto and notes what it was generated of. Needs protoc (Debian: protobuf-compiler) and Go.
set -eu
cd "$(dirname "$0")"
protoc -I . \
  --plugin=protoc-gen-go="$(go tool -n protoc-gen-go)" --go_out=. --go_opt=paths=source_relative \
  --plugin=protoc-gen-go-grpc="$(go tool -n protoc-gen-go-grpc)" --go-grpc_out=. --go-grpc_opt=paths=source_relative \
  device.proto
# Which protoc it was is of no use to anybody, and would change with the machine.
sed -i -e '/^\/\/ [-\t ]*protoc .*v[0-9.]*$/d' -e '/^\/\/ - protoc  /d' device.pb.go device_grpc.pb.go
sha256sum device.proto device.pb.go device_grpc.pb.go >device.sum
