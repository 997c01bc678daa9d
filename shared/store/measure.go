package store

import (
	"context"
	"errors"
	"time"

	"github.com/castor-iot/castor/shared/metrics"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// measured is a table whose operations are timed, whichever driver keeps it.
type measured struct {
	Table
	get, write, apply, walk, count *metrics.Store
}

func measure(name string, t Table) Table {
	op := func(operation string) *metrics.Store { return metrics.NewStore(name, operation) }
	return measured{t, op("get"), op("write"), op("apply"), op("walk"), op("count")}
}

func took(op *metrics.Store, began time.Time, err error) {
	op.Took(time.Since(began), errors.Is(err, ErrUnavailable) || errors.Is(err, ErrDamaged))
}

func (m measured) Get(ctx context.Context, ids []string) ([]bson.Raw, error) {
	began := time.Now()
	docs, err := m.Table.Get(ctx, ids)
	took(m.get, began, err)
	return docs, err
}

func (m measured) Write(ctx context.Context, writes []Write) ([]error, error) {
	began := time.Now()
	errs, err := m.Table.Write(ctx, writes)
	took(m.write, began, err)
	return errs, err
}

func (m measured) Apply(ctx context.Context, id string, guard Filter, add []Increment) (bson.Raw, error) {
	began := time.Now()
	doc, err := m.Table.Apply(ctx, id, guard, add)
	took(m.apply, began, err)
	return doc, err
}

func (m measured) Walk(ctx context.Context, w Walk, each func(Hit) error) (*Mark, error) {
	began := time.Now()
	mark, err := m.Table.Walk(ctx, w, each)
	took(m.walk, began, err)
	return mark, err
}

func (m measured) Count(ctx context.Context, w Walk, field string) (map[string]int, error) {
	began := time.Now()
	counts, err := m.Table.Count(ctx, w, field)
	took(m.count, began, err)
	return counts, err
}
