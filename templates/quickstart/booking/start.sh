#!/bin/sh
# Writes the address of the practice system into nginx's configuration and runs nginx.
set -eu
sed "s|@PAS_URL@|$PAS_URL|" /srv/booking.conf > /etc/nginx/sites-enabled/booking
exec nginx -g 'daemon off; error_log /dev/stderr notice;'
