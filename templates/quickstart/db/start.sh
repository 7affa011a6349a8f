#!/bin/sh
# Starts PostgreSQL on the data volume. On an empty one it makes the cluster, the user, the database and a
# few patients; on every start it gives the user the password that /run/secrets/db holds, so that a
# rotated credential takes effect. The password goes through pipes alone.
set -eu

data=/var/lib/postgresql/data/17
as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"; }
quoted() { sed "s/'/''/g"; } # the text of an SQL literal

# PostgreSQL without a network: reads SQL from stdin, a statement a line. A statement that fails is not
# written to the log, for it may hold the password.
single() {
    as_postgres postgres --single -D "$data" -c exit_on_error=on -c log_min_error_statement=panic "$1" >/dev/null
}

install -d -o postgres -g postgres -m 700 "$(dirname "$data")"
install -d -o postgres -g postgres -m 755 /run/postgresql

if [ ! -e "$data/envctl-complete" ]; then
    rm -rf "$data" # what a first start left that did not come to its end
    as_postgres initdb -D "$data" --encoding=UTF8 --locale=C.UTF-8 --auth-local=peer --auth-host=scram-sha-256 >/dev/null
    echo "host all all all scram-sha-256" >> "$data/pg_hba.conf"
    {
        echo "CREATE ROLE \"$DB_USER\" LOGIN"
        echo "CREATE DATABASE \"$DB_NAME\" OWNER \"$DB_USER\""
    } | single postgres
    {
        echo "SET ROLE \"$DB_USER\""
        echo "CREATE TABLE patients (id text PRIMARY KEY, family text NOT NULL, given text NOT NULL DEFAULT '', born date)"
        echo "INSERT INTO patients VALUES ('1001', 'Lovelace', 'Ada', '1815-12-10'), ('1002', 'Snow', 'John', '1813-03-15'), ('1003', 'Nightingale', 'Florence', '1820-05-12'), ('1004', 'Semmelweis', 'Ignaz', '1818-07-01')"
    } | single "$DB_NAME"
    as_postgres touch "$data/envctl-complete"
fi

password=$(quoted < /run/secrets/db)
echo "ALTER ROLE \"$DB_USER\" PASSWORD '$password'" | single postgres
unset password

exec setpriv --reuid=postgres --regid=postgres --init-groups -- postgres -D "$data" -c listen_addresses='*'
