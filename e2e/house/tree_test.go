package house_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestEveryServiceHasTheSameRooms(t *testing.T) {
	for _, name := range services(t) {
		for _, file := range []string{
			"README.md",
			"go.mod",
			"cmd/" + name + "/main.go",
			"internal/app/app.go",
			"internal/app/config.go",
			"internal/postgres/store.go",
			"internal/postgres/migrations/0001_" + name + ".sql",
			"internal/rpc/server.go",
			"internal/rpc/convert.go",
			"internal/rpc/errors.go",
		} {
			if !exists(t, "services/"+name+"/"+file) {
				t.Errorf("services/%s has no %s: who has read one service knows every file of the next but the noun", name, file)
			}
		}
	}
}

func TestAServiceSaysWhatItOwns(t *testing.T) {
	for _, name := range services(t) {
		file := "services/" + name + "/README.md"
		if !exists(t, file) {
			continue // told by the test of the rooms
		}
		text := strings.ToLower(read(t, file))
		for _, heading := range []string{"owns", "never", "rpcs", "tables", "configuration"} {
			if !regexp.MustCompile(`(?m)^(#+ |\*\*).*` + heading).MatchString(text) {
				t.Errorf("%s has no heading about %q: a README of a service says what it owns, what it never does, its RPCs, its tables and its configuration", file, heading)
			}
		}
	}
}

func TestAMainIsAFewLines(t *testing.T) {
	const most = 25
	mains := regexp.MustCompile(`^(services/[^/]+|gateway)/cmd/[^/]+/main\.go$`)
	for _, name := range files(t, mains.MatchString) {
		if n := strings.Count(read(t, name), "\n"); n > most {
			t.Errorf("%s has %d lines, at most %d: a main loads the configuration and calls app.New; what it decides cannot be tested", name, n, most)
		}
	}
}

func TestNoFileIsTwoNouns(t *testing.T) {
	const most = 500
	for _, s := range sources(t) {
		if n := s.fset.Position(s.file.FileEnd).Line; n > most {
			t.Errorf("%s has %d lines, at most %d: past 400 it is two nouns, give each a file", s.path, n, most)
		}
	}
}

func TestNoPackageIsNamedAfterNothing(t *testing.T) {
	nothing := []string{"util", "utils", "common", "helper", "helpers", "types", "models", "manager", "misc", "interfaces", "shared"}
	for _, s := range sources(t) {
		file := strings.TrimSuffix(path.Base(s.path), ".go")
		if slices.Contains(nothing, s.file.Name.Name) || slices.Contains(nothing, file) {
			t.Errorf("%s: a name that says nothing takes in everything; name it by its noun", s.path)
		}
	}
}

func TestAMigrationBeginsWithAParagraphAndTellsWhetherItIsSafe(t *testing.T) {
	numbered := regexp.MustCompile(`^\d{4}_[a-z0-9_]+\.sql$`)
	next := make(map[string]int)
	for _, name := range files(t, func(name string) bool { return strings.Contains(name, "/migrations/") && path.Ext(name) == ".sql" }) {
		dir, base := path.Split(name)
		next[dir]++
		if want := fmt.Sprintf("%04d_", next[dir]); !numbered.MatchString(base) || !strings.HasPrefix(base, want) {
			t.Errorf("%s: migrations are numbered without a gap, NNNN_name.sql; here %s… is next", name, want)
		}
		var head strings.Builder // the comments before the first statement, as one line
		for line := range strings.Lines(read(t, name)) {
			comment, ok := strings.CutPrefix(line, "--")
			if !ok && strings.TrimSpace(line) != "" {
				break
			}
			head.WriteString(" " + strings.TrimSpace(comment))
		}
		if head.Len() < 80 || !strings.Contains(head.String(), "afe while old code runs") {
			t.Errorf("%s: a migration begins with a paragraph: what, why, and \"Safe while old code runs: …\"; replicas of two versions run side by side during every release", name)
		}
	}
}

func TestSQLNamesItsColumns(t *testing.T) {
	star := regexp.MustCompile(`(?i)\b(select|returning)\s+\*`)
	for _, s := range sources(t) {
		if !shipped(s) {
			continue
		}
		ast.Inspect(s.file, func(node ast.Node) bool {
			if text, ok := node.(*ast.BasicLit); ok && text.Kind == token.STRING && star.MatchString(text.Value) {
				t.Errorf("%s: SQL with *: a column that a later migration adds would change what this code reads", s.where(node))
			}
			return true
		})
	}
}

func TestALinterIsSilencedOnlyWithItsNameAndAReason(t *testing.T) {
	reasoned := regexp.MustCompile(`^//nolint:[a-z0-9,]+ // \S.{5,}`)
	for _, s := range sources(t) {
		for _, group := range s.file.Comments {
			for _, comment := range group.List {
				if strings.HasPrefix(comment.Text, "//nolint") && !reasoned.MatchString(comment.Text) {
					t.Errorf("%s: write //nolint:<linter> // <why it is right here>: the next reader must be able to judge it", s.where(comment))
				}
			}
		}
	}
}

func TestNoPackageVariableIsWrittenAfterItsDeclaration(t *testing.T) {
	packages := make(map[string]map[string]bool) // folder+package → its variables
	key := func(s source) string { return s.dir() + ":" + s.file.Name.Name }
	for _, s := range sources(t) {
		for _, decl := range s.file.Decls {
			general, ok := decl.(*ast.GenDecl)
			if !ok || general.Tok != token.VAR {
				continue
			}
			for _, spec := range general.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if packages[key(s)] == nil {
						packages[key(s)] = make(map[string]bool)
					}
					packages[key(s)][name.Name] = true
				}
			}
		}
	}
	for _, s := range sources(t) {
		if !shipped(s) {
			continue
		}
		for _, decl := range s.file.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if !ok || function.Body == nil {
				continue
			}
			if function.Name.Name == "init" && function.Recv == nil {
				t.Errorf("%s: init runs at every import, in an order nobody chose; do it in app.New", s.where(function))
			}
			local := declaredIn(function)
			for _, written := range writes(function.Body) {
				if written.Name != "_" && packages[key(s)][written.Name] && !local[written.Name] {
					t.Errorf("%s: the package variable %s is written: state belongs to a value that somebody makes, owns and stops", s.where(written), written.Name)
				}
			}
		}
	}
}

// declaredIn are the names that a function declares itself, anywhere in it; they hide package variables well enough for this law.
func declaredIn(function *ast.FuncDecl) map[string]bool {
	names := make(map[string]bool)
	ast.Inspect(function, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.Field:
			for _, name := range n.Names {
				names[name.Name] = true
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				names[name.Name] = true
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, left := range n.Lhs {
					if name, ok := left.(*ast.Ident); ok {
						names[name.Name] = true
					}
				}
			}
		case *ast.RangeStmt:
			for _, e := range []ast.Expr{n.Key, n.Value} {
				if name, ok := e.(*ast.Ident); ok && n.Tok == token.DEFINE {
					names[name.Name] = true
				}
			}
		}
		return true
	})
	return names
}

// writes are the variables at the root of everything that is assigned to: v, v.f, v[k], *v.
func writes(body *ast.BlockStmt) []*ast.Ident {
	var names []*ast.Ident
	add := func(target ast.Expr) {
		for {
			switch e := target.(type) {
			case *ast.Ident:
				names = append(names, e)
				return
			case *ast.SelectorExpr:
				target = e.X
			case *ast.IndexExpr:
				target = e.X
			case *ast.StarExpr:
				target = e.X
			case *ast.ParenExpr:
				target = e.X
			default:
				return
			}
		}
	}
	ast.Inspect(body, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, left := range n.Lhs {
					add(left)
				}
			}
		case *ast.IncDecStmt:
			add(n.X)
		}
		return true
	})
	return names
}

func TestNothingSecretIsCommitted(t *testing.T) {
	shapes := map[string]*regexp.Regexp{
		"a private key":            regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}`),
		"a token of a code host":   regexp.MustCompile(`\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40}|glpat-[A-Za-z0-9_-]{20})`),
		"a key of a cloud":         regexp.MustCompile(`\b(AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{35}\b`),
		"a chat or payment token":  regexp.MustCompile(`\bxox[abprs]-[A-Za-z0-9-]{20,}|\bsk_live_[A-Za-z0-9]{20,}`),
		"a signed token":           regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{40,}`),
		"a password in an address": regexp.MustCompile(`(?:postgres|postgresql|redis)://[^:/@\s"'{}<>$%]+:([^@\s"'{}<>$%]{16,})@`),
	}
	text := func(name string) bool {
		return !strings.HasSuffix(name, ".sum") && !strings.HasSuffix(name, "package-lock.json") && !slices.Contains([]string{".png", ".ico", ".woff2", ".gz"}, path.Ext(name))
	}
	for _, name := range files(t, text) {
		content := read(t, name)
		for what, shape := range shapes {
			if at := shape.FindStringIndex(content); at != nil {
				t.Errorf("%s:%d looks like %s: what was committed once is public for ever; make it when the test runs", name, strings.Count(content[:at[0]], "\n")+1, what)
			}
		}
	}
}
