package ecomanagersim

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

func TestTheHelpNamesEveryFaultAndEveryPath(t *testing.T) {
	for _, kind := range []FaultKind{
		FaultStatus, FaultRedirect, FaultHang, FaultStall, FaultSlow, FaultReset, FaultCut, FaultTruncate, FaultWrongShape, FaultBadRow,
		FaultNoDate, FaultClockOff, FaultGarbageCursor, FaultSameCursor, FaultIgnoreSort, FaultNoTieBreak,
	} {
		if !kind.known() || !strings.Contains(controlHelp, string(kind)) {
			t.Errorf("%s is not in the help, or no fault", kind)
		}
	}
	// Every pattern of the control door stands in the help, SHOP for a shop's part.
	files := token.NewFileSet()
	for _, name := range []string{"control.go", "trouble.go"} {
		file, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			pattern := strings.Trim(literal.Value, `"`)
			pattern = strings.Replace(pattern, "/control/tenants/{tenant}/shops/{shop}", "SHOP", 1)
			if name == "trouble.go" && strings.HasPrefix(pattern, "/") {
				pattern = "any SHOP" + pattern // joined to a shop's part there
			}
			_, path, found := strings.Cut(pattern, " ")
			if found && (strings.HasPrefix(path, "/control/") || strings.HasPrefix(path, "SHOP/")) && !strings.Contains(controlHelp, path) {
				t.Errorf("%s is not in the help", pattern)
			}
			return true
		})
	}
}
