#!/bin/sh
# Starts Postgres in its container, from the official image or ours alike: makes the cluster where
# there is none, sets the role's password from its file, becomes the server.
#   postgres_start.sh [POSTGRES' OWN ARGUMENTS]
# Runs as the user that owns the volume, with no capability and a read-only root.
set -eu
umask 077

role=archi
database=archi
data=/var/lib/postgresql/data
cluster=$data/pgdata
unfinished=$data/initialising
password_file=/run/archi/secrets/postgres_password

# What an error would repeat of a statement could be the password.
quiet='-c log_min_error_statement=panic -c log_statement=none -c log_min_duration_statement=-1'

single_user() { # STATEMENT comes on stdin; database is the argument after the folder
    # -j: a statement ends with a semicolon and an empty line, whatever line ends are in it.
    # shellcheck disable=SC2086 # these are words
    { cat; printf ';\n\n'; } | postgres --single -j $quiet -D "$1" "$2" >/dev/null
}

if [ ! -s "$password_file" ]; then
    echo "postgres_start: $password_file is missing or empty" >&2
    exit 65
fi

# One server a volume: held until this container ends, also over a kill.
exec 9>>"$data/in-use"
if ! flock --nonblock 9; then
    echo "postgres_start: another container serves this volume" >&2
    exit 67
fi

if [ ! -e "$cluster" ]; then
    # Made beside its place and renamed: a half-made one is never taken for a cluster.
    echo "postgres_start: creating the database"
    rm -rf "$unfinished"
    initdb --pgdata="$unfinished" --username="$role" --pwfile="$password_file" \
        --encoding=UTF8 --locale=C.UTF-8 --data-checksums \
        --auth-local=trust --auth-host=scram-sha-256 >/dev/null
    echo 'host all all all scram-sha-256' >>"$unfinished/pg_hba.conf"
    printf 'CREATE DATABASE %s' "$database" | single_user "$unfinished" postgres
    mv "$unfinished" "$cluster"
fi

found=$(cat "$cluster/PG_VERSION")
ours=$(postgres --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
if [ "$found" != "$ours" ]; then
    echo "postgres_start: the volume holds a database of Postgres $found, this is Postgres $ours" >&2
    exit 66
fi

# Left by a server that was killed: its process id is somebody else's here, and Postgres would take
# that for a server. The lock above says that there is none.
rm -f "$cluster/postmaster.pid"

# At every start, so that a volume of before and a password of now belong together again.
sed "s/'/''/g; 1s/^/ALTER ROLE $role PASSWORD '/; \$s/\$/'/" "$password_file" |
    single_user "$cluster" postgres

exec postgres -D "$cluster" "$@"
