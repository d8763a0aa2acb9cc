#!/bin/sh
# One-shot: the namespace that Holdfast runs in, and the search attributes that operators look orders up by.
set -eu
until temporal operator cluster health >/dev/null 2>&1; do
  echo "waiting for Temporal at $TEMPORAL_ADDRESS"
  sleep 2
done
temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 90d
known=$(temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE")
add() {
  echo "$known" | grep -qw "$1" ||
    temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" --name "$1" --type "$2"
}
add OrderNumber Keyword
add Store Keyword
add Stage Keyword
add WaitingOn Keyword
add CustomerNumber Keyword
add NeedsPerson Bool
