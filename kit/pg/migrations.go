package pg

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Migrations is a numbered set of SQL files, NNNN_name.sql, anywhere below FS.
// Forward only: a mistake is repaired by the next number.
type Migrations struct {
	Name string // distinguishes the sets of one schema, e.g. "kit", "orders"
	FS   fs.FS
}

//go:embed migrations/*.sql
var kitFiles embed.FS

// KitMigrations makes the tables of kit in a service's schema: audit_event,
// idempotency_key and verification_key. Give it to Migrate before the service's own.
var KitMigrations = Migrations{Name: "kit", FS: kitFiles}

const noTransaction = "-- no transaction"

var fileName = regexp.MustCompile(`^(\d{4})_([a-z0-9_]+)\.sql$`)

type migration struct {
	set, name, path string
	version         int
	body, checksum  string
	transactional   bool
}

func (f migration) id() string { return migrationID(f.set, f.version) }

func migrationID(set string, version int) string { return set + "/" + strconv.Itoa(version) }

// statements splits a file without transaction at semicolons that end a line; such
// files hold one or two plain statements, never a function body.
func (f migration) statements() []string {
	var list []string
	for part := range strings.SplitSeq(f.body, ";\n") {
		if part = strings.TrimSpace(part); part != "" && !onlyComments(part) {
			list = append(list, part)
		}
	}
	return list
}

func onlyComments(sql string) bool {
	for line := range strings.Lines(sql) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--") {
			return false
		}
	}
	return true
}

// load reads and checks the files: every .sql file must be well named and numbered
// once, because a file that is silently skipped is found in production.
func (m Migrations) load() ([]migration, error) {
	var files []migration
	seen := map[int]string{}
	err := fs.WalkDir(m.FS, ".", func(p string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(p) != ".sql" {
			return err
		}
		parts := fileName.FindStringSubmatch(path.Base(p))
		if parts == nil {
			return fmt.Errorf("migration %s/%s: the name must look like 0001_what_it_does.sql", m.Name, p)
		}
		version, err := strconv.Atoi(parts[1])
		if err != nil {
			return err
		}
		if other, taken := seen[version]; taken {
			return fmt.Errorf("migrations %s/%s and %s have one number", m.Name, p, other)
		}
		seen[version] = p
		body, err := fs.ReadFile(m.FS, p)
		if err != nil {
			return err
		}
		files = append(files, migration{
			set: m.Name, name: parts[2], path: m.Name + "/" + p, version: version,
			body: string(body), checksum: checksum(body),
			transactional: !strings.HasPrefix(strings.ToLower(string(body)), noTransaction),
		})
		return nil
	})
	slices.SortFunc(files, func(a, b migration) int { return cmp.Compare(a.version, b.version) })
	return files, err
}
