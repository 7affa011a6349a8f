// Command tryquickstart does what a visitor of the quickstart would: it reads the patients through
// booking, sends the Windows service an HL7 message, and finds the new patient through booking again.
//
//	tryquickstart BOOKING_URL HL7_ADDRESS
//
// It ends with 1 at the first thing that is not as it should be.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/envctl/envctl/templates/quickstart/pas/hl7"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: tryquickstart BOOKING_URL HL7_ADDRESS")
		os.Exit(64)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := try(ctx, os.Stdout, strings.TrimSuffix(os.Args[1], "/"), os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "tryquickstart:", err)
		os.Exit(1)
	}
}

type patient struct{ ID, Family, Given, Born string }

// seeded is a row that only the database held: neither booking nor the service knows it.
var seeded = patient{ID: "1001", Family: "Lovelace", Given: "Ada", Born: "1815-12-10"}

func try(ctx context.Context, out io.Writer, booking, address string) error {
	var all []patient
	if err := get(ctx, booking+"/api/patients", &all); err != nil {
		return err
	}
	if !slices.Contains(all, seeded) {
		return fmt.Errorf("the seeded patient %s is not among the %d that booking shows", seeded.ID, len(all))
	}
	fmt.Fprintf(out, "GET %s/api/patients\n    %d patients, among them %s %s: booking asked Windows, Windows asked the database\n", booking, len(all), seeded.Given, seeded.Family)

	now := time.Now().UTC()
	want := patient{ID: fmt.Sprintf("T%d", now.UnixMilli()), Family: "Curie", Given: "Marie", Born: "1867-11-07"}
	control := "C" + want.ID
	message := "MSH|^~\\&|LAB|NORTH|PAS|RIVERBANK|" + now.Format("20060102150405") + "||ADT^A28^ADT_A05|" + control + "|P|2.5\r" +
		"PID|1||" + want.ID + "^^^PAS||" + want.Family + "^" + want.Given + "||18671107\r"
	ack, err := send(ctx, address, message)
	if err != nil {
		return fmt.Errorf("send an HL7 message to %s: %w", address, err)
	}
	if ack.Field("MSA", 1) != "AA" || ack.Field("MSA", 2) != control {
		return fmt.Errorf("the HL7 message %s was answered MSA|%s|%s|%s", control, ack.Field("MSA", 1), ack.Field("MSA", 2), ack.Component("MSA", 3, 1))
	}
	fmt.Fprintf(out, "HL7 ADT^A28 to %s\n    MSA|AA|%s: the Windows service took it\n", address, control)

	var got patient
	if err := get(ctx, booking+"/api/patients/"+want.ID, &got); err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("the patient that was sent is %+v in the database, want %+v", got, want)
	}
	fmt.Fprintf(out, "GET %s/api/patients/%s\n    %s %s, born %s: the message's patient is in the database\n", booking, want.ID, got.Given, got.Family, got.Born)
	return nil
}

func get(ctx context.Context, url string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s: %s", url, answer.Status, strings.TrimSpace(string(body)))
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	return nil
}

func send(ctx context.Context, address, message string) (hl7.Message, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return hl7.Message{}, err
	}
	defer c.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(deadline); err != nil {
			return hl7.Message{}, err
		}
	}
	if err := hl7.WriteBlock(c, []byte(message)); err != nil {
		return hl7.Message{}, err
	}
	raw, err := hl7.ReadBlock(bufio.NewReader(c))
	if err != nil {
		return hl7.Message{}, err
	}
	return hl7.Parse(raw)
}
