package ecomanager

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/libertaphonix/libertaphonix/services/ecosync/internal/shop"
)

var update = flag.Bool("update", false, "rewrite the golden files from what the decoder answers now")

func algiers(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Africa/Algiers")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func samples(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples in %s: %v", dir, err)
	}
	all := make(map[string][]byte, len(files))
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = body
	}
	return all
}

func golden(t *testing.T, dir, name string, got any) {
	t.Helper()
	text, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	file := filepath.Join("testdata", dir, name+".golden")
	if *update {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run this test with -update and read the difference", err)
	}
	if diff := cmp.Diff(string(want), string(text)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestRowsDecodeAsTheGoldenFilesSay(t *testing.T) {
	for name, body := range samples(t, "rows") {
		t.Run(name, func(t *testing.T) {
			row := decodeRow(body, algiers(t))
			if string(row.Raw) != string(body) {
				t.Error("the raw row is not what came")
			}
			if bad := strings.HasPrefix(name, "bad_"); bad != (row.Problem != nil) || bad == (row.Order != nil) {
				t.Errorf("problem %v, order %v", row.Problem, row.Order)
			}
			row.Raw = nil
			golden(t, "rows", name, row)
		})
	}
}

func TestPagesDecodeAsTheGoldenFilesSay(t *testing.T) {
	type verdict struct {
		Fault shop.Class   `json:",omitempty"`
		Next  *shop.Cursor `json:",omitempty"`
		Rows  []string     `json:",omitempty"`
	}
	for name, body := range samples(t, "pages") {
		t.Run(name, func(t *testing.T) {
			page, err := decodePage(body, algiers(t))
			got := verdict{Fault: shop.ClassOf(err)}
			if err == nil {
				got.Next = &page.Next
			}
			for _, row := range page.Rows {
				if row.Problem != nil {
					got.Rows = append(got.Rows, row.Problem.Error())
				} else {
					got.Rows = append(got.Rows, row.Order.Key().String())
				}
			}
			if fault := strings.HasPrefix(name, "fault_"); fault != (err != nil) {
				t.Errorf("error %v", err)
			}
			golden(t, "pages", name, got)
		})
	}
}

func TestARowLargerThanAnyOrderIsAProblemOfItsOwn(t *testing.T) {
	body := `{"id":7,"reference":"DEMOA7","full_name":"` + strings.Repeat("x", shop.MaxRow) + `"}`
	row := decodeRow([]byte(body), time.UTC)
	if p := row.Problem; p == nil || p.Reason != shop.RowTooLarge || p.ID != 7 || p.Reference != "DEMOA7" || len(row.Raw) != len(body) {
		t.Errorf("%+v", p)
	}
}

func TestMoneyIsExactOrRefused(t *testing.T) {
	for text, want := range map[string]shop.Centimes{
		"0": 0, "0.00": 0, "1600": 160_000, "1600.5": 160_050, "1600.50": 160_050, "1600.500": 160_050,
		"1600,5": 160_050, "1600,50": 160_050, "1 600,00": 160_000, "1\u00a0600": 160_000, "12\u202f345,67": 1_234_567,
		"1,600.00": 160_000, "1.600,00": 160_000, "12,345,678.90": 1_234_567_890, "1.6e+3": 160_000, "16E2": 160_000,
		"0.1": 10, "0.29": 29, "4.35": 435, "1.15": 115, // all of them wrong by a centime through a float
	} {
		if got, why := parseMoney(text, true); why != "" || got != want {
			t.Errorf("parseMoney(%q) = %d, %q; want %d", text, got, why, want)
		}
	}
	for _, text := range []string{
		"", "-1", "1,600", "1.600", "12.500", "100.000", "1600.001", "1e-3", "1e99", "NaN", "Infinity", "0x10", "1_000", "1/3", "12 34", "1.2.3", "1,2.3,4",
		"1600 DA", ".", ",5", "5.", "99999999999999", "٣٦٠٠",
	} {
		if got, why := parseMoney(text, true); why == "" {
			t.Errorf("parseMoney(%q) = %d, accepted", text, got)
		}
	}
}

func TestAJSONNumberIsNotTakenForAGroupedAmount(t *testing.T) {
	if got, why := parseMoney("1.600", false); why != "" || got != 160 {
		t.Errorf("the number 1.600 = %d, %q", got, why)
	}
}

func TestAnEmptyCursorIsABrokenAnswerAndNotTheEndOfData(t *testing.T) {
	_, err := decodePage([]byte(`{"data":[],"links":{"next":"https://demo.ecomanager.dz/api/shop/v2/orders?cursor=abc"},"meta":{"next_cursor":""}}`), time.UTC)
	if shop.ClassOf(err) != shop.WrongShape {
		t.Errorf("%v: the walk would end here in silence (lesson P29)", err)
	}
}

func TestTimesAreReadInTheStoresZone(t *testing.T) {
	zone := algiers(t)
	utc := time.Date(2025, 11, 18, 9, 2, 44, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2025-11-18 10:02:44":         utc,
		"2025-11-18T10:02:44":         utc,
		"2025-11-18T09:02:44Z":        utc,
		"2025-11-18T09:02:44.000000Z": utc,
		"2025-11-18T10:02:44+01:00":   utc,
		"2025-11-18 10:02":            utc.Truncate(time.Minute),
		"2025-11-18":                  time.Date(2025, 11, 17, 23, 0, 0, 0, time.UTC),
		"":                            {},
		"0000-00-00 00:00:00":         {},
	} {
		if got, ok := parseTime(text, zone); !ok || !got.Equal(want) {
			t.Errorf("parseTime(%q) = %v, %t; want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"yesterday", "18/11/2025", "2025-13-01", "9999-12-31 23:59:59", "1000-01-01"} {
		if got, ok := parseTime(text, zone); ok {
			t.Errorf("parseTime(%q) = %v, accepted", text, got)
		}
	}
	// Morocco left its winter hour in that year: one more proof that the zone is
	// the store's and not the container's (lesson P70).
	casablanca, err := time.LoadLocation("Africa/Casablanca")
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := parseTime("2025-07-01 12:00:00", casablanca); got.Hour() != 11 {
		t.Errorf("12:00 in Casablanca is %v", got)
	}
}

func FuzzDecodeRow(f *testing.F) {
	for _, body := range samples(f, "rows") {
		f.Add(body)
	}
	zone := algiers(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		row := decodeRow(body, zone)
		if (row.Order == nil) == (row.Problem == nil) {
			t.Fatal("a row is an order or a problem, never both and never neither")
		}
		if o := row.Order; o != nil {
			if o.ID <= 0 || o.Reference == "" {
				t.Errorf("an order without identity: %d %q", o.ID, o.Reference)
			}
			for _, amount := range []*shop.Centimes{o.Due, o.GoodsTotal, o.Shipping} {
				if amount != nil && (*amount < 0 || *amount > maxCentimes) {
					t.Errorf("amount %d", *amount)
				}
			}
			for _, item := range o.Items {
				if item.Quantity < 1 {
					t.Errorf("quantity %d", item.Quantity)
				}
			}
		}
	})
}

func FuzzDecodePage(f *testing.F) {
	for _, body := range samples(f, "pages") {
		f.Add(body)
	}
	zone := algiers(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		_, err := decodePage(body, zone)
		var fault *shop.Fault
		if err != nil && !errors.As(err, &fault) {
			t.Errorf("%v is no fault of this vocabulary", err)
		}
	})
}
