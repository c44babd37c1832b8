package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// minimumVersion is the oldest PostgreSQL the suite is tested with.
const minimumVersion = 150000

// Check reaches the database and reports, joined, everything that would keep the
// service from working in it. It changes nothing.
func Check(ctx context.Context, o Options) error {
	cfg, err := poolConfig(o)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return fmt.Errorf("DATABASE_URL: the database cannot be reached: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()

	const query = `
		SELECT pg_catalog.current_setting('server_version_num')::int, d.datctype, pg_catalog.pg_encoding_to_char(d.encoding),
		       pg_catalog.pg_is_in_recovery(),
		       EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1),
		       pg_catalog.has_database_privilege(d.oid, 'CREATE')
		FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`
	var version int
	var ctype, encoding string
	var standby, schemaExists, mayCreate bool
	err = conn.QueryRow(ctx, query, o.Schema).Scan(&version, &ctype, &encoding, &standby, &schemaExists, &mayCreate)
	if err != nil {
		return fmt.Errorf("DATABASE_URL: the database cannot be examined: %w", err)
	}
	var faults []error
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf("DATABASE_URL: "+format, args...))
		}
	}
	fault(version < minimumVersion, "PostgreSQL %d is too old; use 15 or newer", version/10000)
	fault(encoding != "UTF8", "the database's encoding is %s; create it with ENCODING 'UTF8'", encoding)
	fault(ctype == "C" || ctype == "POSIX",
		"the database's LC_CTYPE is %s, under which Arabic names cannot be searched and É has no lower case; create it with LC_CTYPE 'C.UTF-8' TEMPLATE template0", ctype)
	fault(standby, "the server is a read-only standby; name the primary")
	fault(!schemaExists && !mayCreate, "the schema %q does not exist and the role may not create it; create it or GRANT CREATE ON DATABASE", o.Schema)
	return errors.Join(faults...)
}
