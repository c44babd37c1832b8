package house_test

import (
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// moduleFiles parses go.mod of every module of the workspace, by folder.
func moduleFiles(t *testing.T) map[string]*modfile.File {
	t.Helper()
	work, err := modfile.ParseWork("go.work", []byte(read(t, "go.work")), nil)
	if err != nil {
		t.Fatal(err)
	}
	modules := make(map[string]*modfile.File)
	for _, use := range work.Use {
		dir := path.Clean(use.Path)
		file, err := modfile.Parse(dir+"/go.mod", []byte(read(t, dir+"/go.mod")), nil)
		if err != nil {
			t.Fatal(err)
		}
		modules[dir] = file
	}
	return modules
}

func TestEveryModuleIsInTheWorkspaceAndOnlyToolsStandOutside(t *testing.T) {
	modules := moduleFiles(t)
	for _, name := range files(t, func(name string) bool { return path.Base(name) == "go.mod" }) {
		dir := path.Dir(name)
		if inside, tool := modules[dir] != nil, strings.HasPrefix(dir, "tools"); inside == tool {
			t.Errorf("%s: a module is either in go.work or under tools/; `go test` and CI see only the workspace, and a tool in it would pull its dependencies into every service", name)
		}
	}
	for dir, file := range modules {
		if want := module + dir; file.Module.Mod.Path != want {
			t.Errorf("%s/go.mod: module %s is not named by its folder, want %s", dir, file.Module.Mod.Path, want)
		}
	}
}

func TestAllModulesSayTheSameGoVersion(t *testing.T) {
	work, err := modfile.ParseWork("go.work", []byte(read(t, "go.work")), nil)
	if err != nil {
		t.Fatal(err)
	}
	for dir, file := range moduleFiles(t) {
		if file.Go.Version != work.Go.Version {
			t.Errorf("%s/go.mod says go %s and go.work says %s: one version is tested, so one version is named", dir, file.Go.Version, work.Go.Version)
		}
		if file.Toolchain != nil {
			t.Errorf("%s/go.mod names a toolchain: which Go builds it is the machine's choice, not each module's", dir)
		}
	}
}

func TestAModuleReplacesEverySiblingItRequires(t *testing.T) {
	modules := moduleFiles(t)
	for dir, file := range modules {
		replaced := make(map[string]string)
		for _, r := range file.Replace {
			replaced[r.Old.Path] = r.New.Path
		}
		for sibling := range siblings(file) {
			want, err := filepath.Rel(filepath.FromSlash(dir), filepath.FromSlash(sibling))
			if err != nil {
				t.Fatal(err)
			}
			if got := replaced[module+sibling]; got != filepath.ToSlash(want) {
				t.Errorf("%s/go.mod: replace %s => %s is missing (have %q): without it the module does not build alone, with GOWORK=off, as in an image", dir, module+sibling, filepath.ToSlash(want), got)
			}
			// replace is not transitive: what a sibling needs must be replaced here as well.
			for further := range siblings(modules[sibling]) {
				if replaced[module+further] == "" {
					t.Errorf("%s/go.mod: %s needs %s, so this module must replace it too: replace is not inherited", dir, sibling, further)
				}
			}
		}
	}
}

// siblings are the modules of this repository that a go.mod requires, by folder.
func siblings(file *modfile.File) map[string]bool {
	found := make(map[string]bool)
	for _, r := range file.Require {
		if dir, ok := strings.CutPrefix(r.Mod.Path, module); ok {
			found[dir] = true
		}
	}
	return found
}

func TestAModuleRequiresOnlySiblingsThatStandBelowIt(t *testing.T) {
	allowed := func(dir string) []string {
		switch dir {
		case "kit":
			return nil
		case "proto":
			return []string{"kit"}
		case "e2e":
			return []string{"proto", "kit", "dev"}
		default: // services, the gateway, dev
			return []string{"proto", "kit"}
		}
	}
	for dir, file := range moduleFiles(t) {
		for _, sibling := range slices.Sorted(maps.Keys(siblings(file))) {
			if !slices.Contains(allowed(dir), sibling) {
				t.Errorf("%s/go.mod requires %s, allowed are %q: services meet over gRPC, never in a build, so that each can be built, released and understood alone", dir, sibling, allowed(dir))
			}
		}
	}
}

func TestADependencyHasOneVersionInAllModules(t *testing.T) {
	type use struct{ version, dir string }
	first := make(map[string]use)
	modules := moduleFiles(t)
	for _, dir := range slices.Sorted(maps.Keys(modules)) {
		for _, r := range modules[dir].Require {
			other, seen := first[r.Mod.Path]
			if !seen {
				first[r.Mod.Path] = use{r.Mod.Version, dir}
				continue
			}
			if other.version != r.Mod.Version {
				t.Errorf("%s is %s in %s and %s in %s: the workspace tests the newer one, an image would ship the older; make tidy gives all modules one", r.Mod.Path, other.version, other.dir, r.Mod.Version, dir)
			}
		}
	}
}
