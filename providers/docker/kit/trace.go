package kit

// Trace is a message about what a build does (StatusResponse of moby/buildkit's api/services/control).
type Trace struct {
	Vertexes []Vertex
	Statuses []Status
	Logs     []Log
}

// Vertex is a step of a build.
type Vertex struct {
	Digest, Name, Error string
	Started, Completed  bool
}

// Status is how far a part of a step has come, in bytes.
type Status struct {
	ID, Vertex, Name string
	Current, Total   int64
	Completed        bool
}

// Log is what a step printed.
type Log struct {
	Vertex string
	Text   []byte
}

// ReadTrace reads a message.
func ReadTrace(msg []byte) (t Trace, err error) {
	err = fields(msg, func(field int, _ uint64, b []byte) error {
		switch field {
		case 1:
			var v Vertex
			err := fields(b, func(field int, _ uint64, b []byte) error {
				switch field {
				case 1:
					v.Digest = string(b)
				case 3:
					v.Name = string(b)
				case 5:
					v.Started = true
				case 6:
					v.Completed = true
				case 7:
					v.Error = string(b)
				}
				return nil
			})
			t.Vertexes = append(t.Vertexes, v)
			return err
		case 2:
			var s Status
			err := fields(b, func(field int, n uint64, b []byte) error {
				switch field {
				case 1:
					s.ID = string(b)
				case 2:
					s.Vertex = string(b)
				case 3:
					s.Name = string(b)
				case 4:
					s.Current = int64(n)
				case 5:
					s.Total = int64(n)
				case 8:
					s.Completed = true
				}
				return nil
			})
			t.Statuses = append(t.Statuses, s)
			return err
		case 3:
			var l Log
			err := fields(b, func(field int, _ uint64, b []byte) error {
				switch field {
				case 1:
					l.Vertex = string(b)
				case 4:
					l.Text = b
				}
				return nil
			})
			t.Logs = append(t.Logs, l)
			return err
		}
		return nil
	})
	return t, err
}
