#!/bin/sh
# Makes Castor's user in MinIO, which may use its own bucket and nothing else. May run again at any time.
set -eu
secret() { cat "/run/secrets/$1"; }
until mc alias set store "$MINIO_URL" "$(secret minio-root-user)" "$(secret minio-root-password)" >/dev/null; do sleep 2; done
mc mb --ignore-existing store/castor
mc admin user add store "$(secret castor-s3-access)" "$(secret castor-s3-secret)"
mc admin policy create store castor /init/castor-policy.json
mc admin policy attach store castor --user "$(secret castor-s3-access)" || mc admin policy entities store --user "$(secret castor-s3-access)" | grep -q castor
