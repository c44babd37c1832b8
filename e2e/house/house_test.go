package house_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// module is what every import path of ours begins with.
const module = "github.com/libertaphonix/libertaphonix/"

// root is the folder of go.work.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.work upwards of the test")
		}
		dir = parent
	}
}

// files lists what people of this repository write, as slash paths from the root: nothing generated, nothing ignored, nothing hidden but .ci.
func files(t *testing.T, match func(path string) bool) []string {
	t.Helper()
	var found []string
	top := root(t)
	err := filepath.WalkDir(top, func(full string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(top, full)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if entry.IsDir() {
			hidden := strings.HasPrefix(entry.Name(), ".") && name != "." && name != ".ci"
			if hidden || name == "bin" || name == "third_party" || name == "proto/gen" || entry.Name() == "node_modules" {
				return fs.SkipDir
			}
			return nil
		}
		if match(name) {
			found = append(found, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatal("the test looked at no file: its pattern is wrong")
	}
	return found
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func exists(t *testing.T, name string) bool {
	t.Helper()
	_, err := os.Stat(filepath.Join(root(t), filepath.FromSlash(name)))
	return err == nil
}

// source is one Go file.
type source struct {
	path string // from the root
	file *ast.File
	fset *token.FileSet
}

// dir is the folder of the file, which is also its import path after the module's prefix.
func (s source) dir() string { return path.Dir(s.path) }

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// imports are the import paths, those of ours without the prefix.
func (s source) imports() []string {
	var paths []string
	for _, spec := range s.file.Imports {
		paths = append(paths, strings.TrimPrefix(strings.Trim(spec.Path.Value, `"`), module))
	}
	return paths
}

// where is the place of a node, for people: file:line.
func (s source) where(node ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(node.Pos()).Line)
}

var parsed struct {
	sync.Once
	sources []source
	err     error
}

// sources parses every Go file once for all tests.
func sources(t *testing.T) []source {
	t.Helper()
	names := files(t, func(name string) bool { return strings.HasSuffix(name, ".go") && !strings.Contains(name, "/testdata/") })
	top := root(t)
	parsed.Do(func() {
		fset := token.NewFileSet()
		for _, name := range names {
			file, err := parser.ParseFile(fset, filepath.Join(top, filepath.FromSlash(name)), nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				parsed.err = err
				return
			}
			if !ast.IsGenerated(file) {
				parsed.sources = append(parsed.sources, source{name, file, fset})
			}
		}
	})
	if parsed.err != nil {
		t.Fatal(parsed.err)
	}
	return parsed.sources
}

// services are the folders of services/.
func services(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root(t), "services"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names
}
