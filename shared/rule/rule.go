// Package rule judges the conditions of provisioning models: expressions of CEL, the Common Expression Language, over what is
// known of a device. An expression has no effect, no clock and no way out, and is bounded in length, depth, cost and time, so
// that one from outside may be judged for a device from outside.
package rule

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"github.com/castor-iot/castor/shared/provision"
)

const (
	maxLength = 1000    // code points of an expression
	maxDepth  = 40      // of its parentheses, lists and calls
	maxCost   = 100_000 // CEL's units, about one per operation or ten bytes of text looked at
	maxTime   = time.Second
	maxCached = 1000 // compiled expressions
)

// A Judge compiles and judges expressions. It is safe for use by many at once.
type Judge struct {
	env *cel.Env

	mu       sync.Mutex
	compiled map[string]cel.Program
}

var _ provision.Guard = (*Judge)(nil)

// New returns a Judge.
func New() (*Judge, error) {
	options, err := world()
	if err != nil {
		return nil, err
	}
	env, err := cel.NewEnv(append(options, cel.ParserExpressionSizeLimit(maxLength), cel.ParserRecursionLimit(maxDepth), cel.HomogeneousAggregateLiterals())...)
	if err != nil {
		return nil, fmt.Errorf("environment of conditions: %w", err)
	}
	return &Judge{env: env, compiled: map[string]cel.Program{}}, nil
}

// Compile returns nil if expr is a condition that can be judged; an *provision.ExprError tells what is wrong with it, and where.
func (j *Judge) Compile(expr string) error {
	_, err := j.program(expr)
	return err
}

// Holds tells whether expr holds for facts, which are those of provision.Run.Facts. It returns an error if expr is no condition,
// costs too much, or compares what cannot be compared.
func (j *Judge) Holds(expr string, facts map[string]any) (holds bool, err error) {
	p, err := j.program(expr)
	if err != nil {
		return false, err
	}
	defer recovered(&err)
	ctx, cancel := context.WithTimeout(context.Background(), maxTime)
	defer cancel()
	v, _, err := p.ContextEval(ctx, vars(facts))
	if err != nil {
		return false, fmt.Errorf("%.200s", err)
	}
	holds, ok := v.Value().(bool)
	if !ok {
		return false, fmt.Errorf("it is %s, and neither true nor false", v.Type().TypeName())
	}
	return holds, nil
}

// program is the compiled form of an expression.
func (j *Judge) program(expr string) (p cel.Program, err error) {
	j.mu.Lock()
	p = j.compiled[expr]
	j.mu.Unlock()
	if p != nil {
		return p, nil
	}
	defer recovered(&err)
	if strings.TrimSpace(expr) == "" {
		return nil, &provision.ExprError{Line: 1, Column: 1, Text: "a condition must not be empty"}
	}
	ast, issues := j.env.Compile(expr)
	if err := positioned(expr, issues); err != nil {
		return nil, err
	}
	if t := ast.OutputType(); !t.IsEquivalentType(cel.BoolType) && !t.IsEquivalentType(cel.DynType) {
		return nil, &provision.ExprError{Line: 1, Column: 1, Text: fmt.Sprintf("a condition must be true or false, this is %s", t)}
	}
	p, err = j.env.Program(ast, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(100))
	if err != nil {
		return nil, &provision.ExprError{Text: err.Error()}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.compiled) >= maxCached {
		clear(j.compiled)
	}
	j.compiled[expr] = p
	return p, nil
}

// positioned is the first of a compiler's issues as an error, with what may have been meant; nil if there are none.
func positioned(expr string, issues *cel.Issues) error {
	if issues == nil || issues.Err() == nil {
		return nil
	}
	all := issues.Errors()
	if len(all) == 0 {
		return &provision.ExprError{Text: issues.Err().Error()}
	}
	at := &provision.ExprError{Line: max(all[0].Location.Line(), 0), Column: max(all[0].Location.Column()+1, 0), Text: fmt.Sprintf("%.300s", all[0].Message)}
	if strings.HasPrefix(at.Text, "Syntax error") {
		at.Text += hint(expr, at.Line, at.Column)
	}
	return at
}

// recovered makes a panic of the library an error: what devices say must not end a function.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("cannot be judged: %v", p)
	}
}
