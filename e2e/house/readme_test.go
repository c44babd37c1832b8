package house_test

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// update rewrites the table in the README from the code: go test ./e2e/house -run README -update.
var update = flag.Bool("update", false, "write the configuration table into README.md")

// variable is a field of a configuration struct with an `env` tag.
type variable struct {
	name, standard, doc string
	readers             []string // who reads it; nobody named = every process
}

// variables reads the tags where the structs stand. Configurations are in internal packages, so the source is asked, not the type.
func variables(t *testing.T) []variable {
	t.Helper()
	all := make(map[string]*variable)
	for _, s := range sources(t) {
		reader, ok := configures(s)
		if !ok {
			continue
		}
		ast.Inspect(s.file, func(node ast.Node) bool {
			field, ok := node.(*ast.Field)
			if !ok || field.Tag == nil {
				return true
			}
			raw, err := strconv.Unquote(field.Tag.Value)
			if err != nil {
				t.Fatal(err)
			}
			tag := reflect.StructTag(raw)
			name, _, _ := strings.Cut(tag.Get("env"), ",")
			if name == "" {
				return true
			}
			v := all[name]
			if v == nil {
				v = &variable{name: name, standard: tag.Get("envDefault"), doc: tag.Get("doc")}
				all[name] = v
			}
			if v.standard != tag.Get("envDefault") || v.doc != tag.Get("doc") {
				t.Errorf("%s: %s has another default or meaning here than elsewhere: one name, one meaning", s.where(field), name)
			}
			if v.doc == "" {
				t.Errorf("%s: %s has no doc tag: it is the sentence of the README and of the fault", s.where(field), name)
			}
			if reader != "" && !slices.Contains(v.readers, reader) {
				v.readers = append(v.readers, reader)
			}
			return true
		})
	}
	var sorted []variable
	for _, name := range slices.Sorted(maps.Keys(all)) {
		slices.Sort(all[name].readers)
		sorted = append(sorted, *all[name])
	}
	return sorted
}

// configures says whether a file holds a configuration struct, and of whom: "" = of every process.
func configures(s source) (reader string, ok bool) {
	switch dir := s.dir(); {
	case s.isTest():
		return "", false
	case dir == "kit/conf":
		return "", true
	case dir == "gateway/internal/app":
		return "gateway", true
	case service(dir) != "" && room(dir) == "app":
		return path.Base(service(dir)), true
	default:
		return "", false
	}
}

// table is what the README shows.
func table(all []variable) string {
	var out strings.Builder
	out.WriteString("| variable | default | read by | meaning |\n|---|---|---|---|\n")
	for _, v := range all {
		standard, readers := "", "all"
		if v.standard != "" {
			standard = "`" + v.standard + "`"
		}
		if len(v.readers) > 0 {
			readers = strings.Join(v.readers, ", ")
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", v.name, standard, cmp.Or(readers, "all"), strings.ReplaceAll(v.doc, "|", `\|`))
	}
	return out.String()
}

func TestTheREADMEShowsEveryVariableAsTheCodeReadsIt(t *testing.T) {
	section := regexp.MustCompile(`(?s)(<!-- configuration: held to the code by a test -->\n)(.*?)(<!-- end of configuration -->)`)
	text := read(t, "README.md")
	found := section.FindStringSubmatch(text)
	if found == nil {
		t.Fatal("README.md has no configuration section between its two marks")
	}
	want := "\n" + table(variables(t)) + "\n"
	if *update {
		file := filepath.Join(root(t), "README.md")
		if err := os.WriteFile(file, []byte(section.ReplaceAllLiteralString(text, found[1]+want+found[3])), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := gocmp.Diff(want, found[2]); diff != "" {
		t.Errorf("README.md and the configuration structs differ; run `go test ./e2e/house -run README -update` (-code +README):\n%s", diff)
	}
}

func TestLinksInTheDocumentsLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	for _, name := range files(t, func(name string) bool { return path.Ext(name) == ".md" }) {
		for _, found := range link.FindAllStringSubmatch(read(t, name), -1) {
			target := found[1]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			if !exists(t, path.Join(path.Dir(name), target)) {
				t.Errorf("%s links to %s, which does not exist", name, target)
			}
		}
	}
}
