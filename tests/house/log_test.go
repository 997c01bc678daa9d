package house

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// What a function logs has the trace of the call, which is in the context.
func TestFunctionsLogWithTheContext(t *testing.T) {
	for _, p := range packages(t) {
		if !strings.HasPrefix(p.Dir, "functions") {
			continue
		}
		for _, f := range p.Files {
			if f.Test {
				continue
			}
			ast.Inspect(f.AST, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				method, ok := call.Fun.(*ast.SelectorExpr)
				if !ok || !slices.Contains([]string{"Debug", "Info", "Warn", "Error"}, method.Sel.Name) {
					return true
				}
				if log, ok := method.X.(*ast.SelectorExpr); ok && log.Sel.Name == "Log" {
					t.Errorf("%s logs by Log.%s: use Log.%[2]sContext(ctx, …), which adds the trace", f.Path, method.Sel.Name)
				}
				return true
			})
		}
	}
}
