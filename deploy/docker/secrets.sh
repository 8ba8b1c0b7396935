#!/bin/sh
# Makes the secrets of production that are not NATS's: passwords of Redis, Sentinel and Grafana, and a key of the ingress.
# Usage: sh deploy/docker/secrets.sh FOLDER. Nothing is overwritten. See docs/deploy-docker.md.
set -eu
umask 077
folder=${1:?which folder?}
for part in redis ingress grafana; do
	mkdir "$folder/$part"
done
mkdir -p "$folder/providers" "$folder/endpoints"
random() { od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n'; }
redis=$(random) admin=$(random) sentinel=$(random) key=$(random)
# Our programs' user has the rights of deploy/redis/payonce.acl. The servers trust each other with another password.
echo "$redis" >"$folder/redis/password"
echo "$admin" >"$folder/redis/admin.password"
# One configuration names a password for all programs; those without Redis get one of nothing.
random >"$folder/redis/none"
printf 'requirepass %s\nmasterauth %s\nuser payonce on >%s %s\n' "$admin" "$admin" "$redis" "$(cat "$(dirname "$0")/../redis/payonce.acl")" >"$folder/redis/server.conf"
echo "$sentinel" >"$folder/redis/sentinel.password"
printf 'sentinel auth-pass payonce %s\nrequirepass %s\nsentinel sentinel-pass %s\n' "$admin" "$sentinel" "$sentinel" >"$folder/redis/sentinel.conf"
echo "$key" >"$folder/ingress/api.key"
printf %s "$key" | sha256sum | cut -c1-64 >"$folder/ingress/api.sha256"
random >"$folder/grafana/password"
