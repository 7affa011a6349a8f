package practice

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	// The driver registers itself with database/sql.
	_ "github.com/lib/pq"

	"github.com/envctl/envctl/templates/quickstart/pas/hl7"
)

// queryTimeout bounds whatever is asked of the database.
const queryTimeout = 5 * time.Second

// Patient is one row of the table patients, as /patients answers it.
type Patient struct {
	ID     string `json:"id"`
	Family string `json:"family"`
	Given  string `json:"given"`
	Born   string `json:"born,omitempty"` // YYYY-MM-DD
}

// errNoPatient is returned for an id that no row has.
var errNoPatient = errors.New("no such patient")

// store is the database, as the settings name it at the moment.
type store struct {
	source Source

	mu  sync.Mutex
	dsn string
	db  *sql.DB
}

// open gives the pool for the settings as they are now, and closes one for settings that were.
func (s *store) open() (*sql.DB, error) {
	cfg, err := s.source()
	if err != nil {
		return nil, err
	}
	dsn, err := cfg.dsn()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db != nil && s.dsn == dsn {
		return s.db, nil
	}
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	db.SetMaxOpenConns(8)
	db.SetConnMaxIdleTime(time.Minute)
	if s.db != nil {
		s.db.Close() // requests that run on it finish first
	}
	s.db, s.dsn = db, dsn
	return db, nil
}

func (s *store) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db != nil {
		s.db.Close()
		s.db = nil
	}
}

const selectPatients = `SELECT id, family, given, coalesce(to_char(born, 'YYYY-MM-DD'), '') FROM patients `

func (s *store) patients(ctx context.Context) ([]Patient, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	db, err := s.open()
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, selectPatients+`ORDER BY family, given, id LIMIT 500`)
	if err != nil {
		return nil, fmt.Errorf("read the patients: %w", err)
	}
	defer rows.Close()
	list := []Patient{} // an empty practice answers [], not null
	for rows.Next() {
		var p Patient
		if err := rows.Scan(&p.ID, &p.Family, &p.Given, &p.Born); err != nil {
			return nil, fmt.Errorf("read the patients: %w", err)
		}
		list = append(list, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the patients: %w", err)
	}
	return list, nil
}

func (s *store) patient(ctx context.Context, id string) (Patient, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	db, err := s.open()
	if err != nil {
		return Patient{}, err
	}
	var p Patient
	err = db.QueryRowContext(ctx, selectPatients+`WHERE id = $1`, id).Scan(&p.ID, &p.Family, &p.Given, &p.Born)
	if errors.Is(err, sql.ErrNoRows) {
		return Patient{}, errNoPatient
	}
	if err != nil {
		return Patient{}, fmt.Errorf("read patient: %w", err)
	}
	return p, nil
}

// save writes a patient, new or known.
func (s *store) save(ctx context.Context, p hl7.Patient) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	db, err := s.open()
	if err != nil {
		return err
	}
	born := sql.NullTime{Time: p.Born, Valid: !p.Born.IsZero()}
	_, err = db.ExecContext(ctx, `INSERT INTO patients (id, family, given, born) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET family = excluded.family, given = excluded.given, born = excluded.born`,
		p.ID, p.Family, p.Given, born)
	if err != nil {
		return fmt.Errorf("write patient: %w", err)
	}
	return nil
}
