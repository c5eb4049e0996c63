package forest

// Verify is being written.
func (f *Forest) Verify(done func(error)) { done(nil) }
