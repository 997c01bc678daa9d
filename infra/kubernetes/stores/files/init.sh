#!/bin/sh
# Makes Castor's user in MinIO, which may use its own bucket and nothing else. May run again at any time; it ends well when that user
# can use the bucket.
set -eu
root_user=$(cat /run/secrets/minio-root-user) root_password=$(cat /run/secrets/minio-root-password)
access=$(cat /run/secrets/castor-s3-access) secret=$(cat /run/secrets/castor-s3-secret)
until mc alias set store "$MINIO_URL" "$root_user" "$root_password" >/dev/null; do sleep 2; done
mc mb --ignore-existing store/castor
mc admin user add store "$access" "$secret"
mc admin policy create store castor /init/castor-policy.json
mc admin policy attach store castor --user "$access" || true # it is an error when it is attached already
mc alias set own "$MINIO_URL" "$access" "$secret" >/dev/null
mc ls own/castor >/dev/null
