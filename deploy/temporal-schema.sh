#!/bin/sh
# One-shot: make Temporal's two databases and bring their schemas to this server's version. Safe to run again.
set -eu
for database in temporal temporal_visibility; do
  case "$database" in
    temporal) schema=temporal ;;
    temporal_visibility) schema=visibility ;;
  esac
  tool="temporal-sql-tool --plugin postgres12 --ep $POSTGRES_SEEDS -p $DB_PORT -u $POSTGRES_USER --db $database"
  $tool create
  # Fails where the schema tables are there already; the update below then does what is left.
  $tool setup-schema -v 0.0 || echo "$database has its schema tables"
  $tool update-schema -d "/etc/temporal/schema/postgresql/v12/$schema/versioned"
done
