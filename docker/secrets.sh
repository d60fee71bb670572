#!/bin/sh
# The secrets of docker-compose.yml, one a file in docker/secrets (or in the folder given): what is missing is made, what
# is there stays. The folder is its owner's; the files can be read by the containers' users, into which they are mounted.
set -eu
folder=${1:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$folder"
chmod 700 "$folder"
for name in postgres-password redis-password studio-password studio-token backend-password webhook-secret policy-secret; do
  test -s "$folder/$name" || od -An -N20 -tx1 /dev/urandom | tr -d ' \n' >"$folder/$name"
done
for name in alert-url alert-secret llm-key; do # yours to fill in, where you want what they are for
  test -e "$folder/$name" || : >"$folder/$name"
done
chmod 644 "$folder"/*
echo "The secrets are in $folder; the password of Label Studio's first account is in studio-password."
