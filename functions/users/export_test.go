package users

// For tests that look into the store.
type (
	StoredUser    = user
	StoredAccount = account
	StoredSession = session
)
