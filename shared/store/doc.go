// Package store keeps typed documents in named collections, on one machine (package embedded) or on MongoDB (package
// mongo), with the same meaning on both. A document is a plain Go struct; the store keeps a revision beside its fields,
// so that a change is a compare-and-swap, and the schema number of the code that wrote it, so that older code does not
// damage what newer code wrote.
//
//	twins, err := store.Open[Twin](ctx, db, store.Spec{
//		Name:    "twins",
//		Indexes: []store.Index{{Name: "by-type", Fields: []string{"type", "name"}}},
//	})
//	err = twins.Insert(ctx, Twin{ID: "pump-7", Type: "pump"})
//	_, err = twins.Update(ctx, "pump-7", func(t *Twin) error { t.Name = "north"; return nil })
//	page, err := twins.Find(ctx, store.Query{Index: "by-type", Filter: store.Eq("type", "pump")})
//
// Every operation is atomic for one document, never for several: there are no transactions. An operation that returned
// without error is on disk (MongoDB: on a majority's disks). The store never asks who is calling: authorization is done
// before it.
//
// The portable layer (this package) decides what is to be read and written; a Driver carries it out.
package store
