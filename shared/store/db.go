package store

import "context"

// A DB is an open database, made by embedded.Open or mongo.Open.
type DB struct{ driver Driver }

// New returns the database that d keeps.
func New(d Driver) *DB { return &DB{driver: d} }

// Driver is what keeps the database, for one that adds something to it: a count, or the failures of a test.
func (db *DB) Driver() Driver { return db.driver }

// Close ends all work and frees the database. Operations under way end with ErrUnavailable.
func (db *DB) Close() error { return db.driver.Close() }

// Ping returns nil when the database answers, ErrUnavailable when it does not.
func (db *DB) Ping(ctx context.Context) error { return db.driver.Ping(ctx) }

// Name tells what the database runs on, such as "embedded" or "mongodb 8.0.1".
func (db *DB) Name() string { return db.driver.Name() }
