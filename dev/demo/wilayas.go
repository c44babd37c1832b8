package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// Wilaya is one province: its official code and the names customers know it by.
type Wilaya struct {
	Code     int
	French   string
	Arabic   string
	Communes []string // some of its communes, the seat first
	Weight   int      // how often orders come from there, relative to the others
}

// Wilayas answers the 69 wilayas (58 until November 2025), in the order of their codes.
func Wilayas() []Wilaya { return append([]Wilaya(nil), wilayas[:]...) }

// WilayaByCode answers the wilaya with an official code, 1 to 69.
func WilayaByCode(code int) (Wilaya, bool) {
	if code < 1 || code > len(wilayas) {
		return Wilaya{}, false
	}
	return wilayas[code-1], true
}

// drawWilaya picks a wilaya as orders come: most from the big cities of the north.
func drawWilaya(r *rand.Rand) Wilaya {
	total := 0
	for i := range wilayas {
		total += wilayas[i].Weight
	}
	n := r.IntN(total)
	for i := range wilayas {
		if n -= wilayas[i].Weight; n < 0 {
			return wilayas[i]
		}
	}
	return wilayas[len(wilayas)-1]
}

// Spell answers the name as a shop's order form wrote it: the official French name for most, and otherwise without accents, in
// capitals, with a hyphen for the space (or the reverse), behind its code, or in Arabic.
func (w Wilaya) Spell(r *rand.Rand) string {
	switch n := r.IntN(100); {
	case n < 60:
		return w.French
	case n < 72:
		return withoutAccents(w.French)
	case n < 80:
		return strings.ToUpper(withoutAccents(w.French))
	case n < 85:
		return strings.ToLower(w.French)
	case n < 90:
		if strings.Contains(w.French, " ") {
			return strings.ReplaceAll(w.French, " ", "-")
		}
		return strings.ReplaceAll(w.French, "-", " ")
	case n < 95:
		return fmt.Sprintf("%02d - %s", w.Code, w.French)
	default:
		return w.Arabic
	}
}

// withoutAccents writes "Béjaïa" as "Bejaia", the way a French keyboard in a hurry does.
func withoutAccents(s string) string {
	plain, _, err := transform.String(transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC), s)
	if err != nil {
		return s
	}
	return plain
}

var wilayas = [...]Wilaya{
	{1, "Adrar", "أدرار", []string{"Adrar", "Reggane"}, 3},
	{2, "Chlef", "الشلف", []string{"Chlef", "Ténès", "Boukadir"}, 14},
	{3, "Laghouat", "الأغواط", []string{"Laghouat", "Ksar El Hirane"}, 7},
	{4, "Oum El Bouaghi", "أم البواقي", []string{"Oum El Bouaghi", "Aïn Beïda", "Aïn M'lila"}, 10},
	{5, "Batna", "باتنة", []string{"Batna", "Arris", "N'Gaous"}, 18},
	{6, "Béjaïa", "بجاية", []string{"Béjaïa", "Akbou", "El Kseur", "Amizour"}, 20},
	{7, "Biskra", "بسكرة", []string{"Biskra", "Tolga", "Sidi Okba"}, 12},
	{8, "Béchar", "بشار", []string{"Béchar", "Kenadsa"}, 4},
	{9, "Blida", "البليدة", []string{"Blida", "Boufarik", "Ouled Yaïch", "Larbaâ", "Bougara"}, 30},
	{10, "Bouira", "البويرة", []string{"Bouira", "Lakhdaria", "Sour El Ghozlane"}, 13},
	{11, "Tamanrasset", "تمنراست", []string{"Tamanrasset", "Abalessa"}, 2},
	{12, "Tébessa", "تبسة", []string{"Tébessa", "Cheria"}, 10},
	{13, "Tlemcen", "تلمسان", []string{"Tlemcen", "Maghnia", "Mansourah", "Remchi"}, 18},
	{14, "Tiaret", "تيارت", []string{"Tiaret", "Sougueur", "Frenda"}, 12},
	{15, "Tizi Ouzou", "تيزي وزو", []string{"Tizi Ouzou", "Azazga", "Draâ Ben Khedda", "Tigzirt"}, 24},
	{16, "Alger", "الجزائر", []string{"Bab Ezzouar", "Kouba", "Bir Mourad Raïs", "Hussein Dey", "Chéraga", "Bordj El Kiffan", "Birtouta", "El Harrach", "Dar El Beïda", "Draria"}, 90},
	{17, "Djelfa", "الجلفة", []string{"Djelfa", "Hassi Bahbah"}, 13},
	{18, "Jijel", "جيجل", []string{"Jijel", "Taher", "El Milia"}, 12},
	{19, "Sétif", "سطيف", []string{"Sétif", "El Eulma", "Aïn Oulmene", "Aïn Arnat"}, 32},
	{20, "Saïda", "سعيدة", []string{"Saïda", "Aïn El Hadjar"}, 6},
	{21, "Skikda", "سكيكدة", []string{"Skikda", "Azzaba", "Collo"}, 14},
	{22, "Sidi Bel Abbès", "سيدي بلعباس", []string{"Sidi Bel Abbès", "Telagh", "Sfisef"}, 13},
	{23, "Annaba", "عنابة", []string{"Annaba", "El Bouni", "El Hadjar", "Sidi Amar"}, 20},
	{24, "Guelma", "قالمة", []string{"Guelma", "Oued Zenati"}, 9},
	{25, "Constantine", "قسنطينة", []string{"Constantine", "El Khroub", "Aïn Smara", "Hamma Bouziane"}, 30},
	{26, "Médéa", "المدية", []string{"Médéa", "Berrouaghia"}, 13},
	{27, "Mostaganem", "مستغانم", []string{"Mostaganem", "Aïn Tédelès", "Mazagran"}, 13},
	{28, "M'Sila", "المسيلة", []string{"M'Sila", "Sidi Aïssa", "Magra"}, 14},
	{29, "Mascara", "معسكر", []string{"Mascara", "Sig", "Mohammadia"}, 12},
	{30, "Ouargla", "ورقلة", []string{"Ouargla", "Hassi Messaoud", "Rouissat"}, 10},
	{31, "Oran", "وهران", []string{"Oran", "Es Senia", "Bir El Djir", "Arzew", "Aïn El Turk"}, 48},
	{32, "El Bayadh", "البيض", []string{"El Bayadh", "Bougtob"}, 4},
	{33, "Illizi", "إليزي", []string{"Illizi", "In Amenas"}, 1},
	{34, "Bordj Bou Arréridj", "برج بوعريريج", []string{"Bordj Bou Arreridj", "Ras El Oued", "El Achir"}, 15},
	{35, "Boumerdès", "بومرداس", []string{"Boumerdès", "Boudouaou", "Khemis El Khechna", "Bordj Menaïel"}, 22},
	{36, "El Tarf", "الطارف", []string{"El Tarf", "El Kala", "Drean"}, 8},
	{37, "Tindouf", "تندوف", []string{"Tindouf"}, 1},
	{38, "Tissemsilt", "تيسمسيلت", []string{"Tissemsilt", "Theniet El Had"}, 5},
	{39, "El Oued", "الوادي", []string{"El Oued", "Guemar", "Robbah"}, 12},
	{40, "Khenchela", "خنشلة", []string{"Khenchela", "Kaïs"}, 8},
	{41, "Souk Ahras", "سوق أهراس", []string{"Souk Ahras", "Sedrata"}, 8},
	{42, "Tipaza", "تيبازة", []string{"Tipaza", "Koléa", "Hadjout", "Cherchell"}, 20},
	{43, "Mila", "ميلة", []string{"Mila", "Chelghoum Laïd", "Ferdjioua"}, 13},
	{44, "Aïn Defla", "عين الدفلى", []string{"Aïn Defla", "Khemis Miliana", "Miliana"}, 13},
	{45, "Naâma", "النعامة", []string{"Naâma", "Mécheria", "Aïn Sefra"}, 4},
	{46, "Aïn Témouchent", "عين تموشنت", []string{"Aïn Témouchent", "Béni Saf", "Hammam Bou Hadjar"}, 9},
	{47, "Ghardaïa", "غرداية", []string{"Ghardaïa", "Bounoura", "Metlili"}, 8},
	{48, "Relizane", "غليزان", []string{"Relizane", "Oued Rhiou", "Mazouna"}, 12},
	{49, "Timimoun", "تيميمون", []string{"Timimoun"}, 1},
	{50, "Bordj Badji Mokhtar", "برج باجي مختار", []string{"Bordj Badji Mokhtar"}, 1},
	{51, "Ouled Djellal", "أولاد جلال", []string{"Ouled Djellal", "Sidi Khaled"}, 3},
	{52, "Béni Abbès", "بني عباس", []string{"Béni Abbès"}, 1},
	{53, "In Salah", "عين صالح", []string{"In Salah"}, 1},
	{54, "In Guezzam", "عين قزام", []string{"In Guezzam"}, 1},
	{55, "Touggourt", "تقرت", []string{"Touggourt", "Nezla", "Tebesbest"}, 6},
	{56, "Djanet", "جانت", []string{"Djanet"}, 1},
	{57, "El M'Ghair", "المغير", []string{"El M'Ghair", "Djamaa"}, 3},
	{58, "El Meniaa", "المنيعة", []string{"El Meniaa"}, 2},
	{59, "Aflou", "أفلو", []string{"Aflou"}, 2},
	{60, "El Abiodh Sidi Cheikh", "الأبيض سيدي الشيخ", []string{"El Abiodh Sidi Cheikh"}, 1},
	{61, "El Aricha", "العريشة", []string{"El Aricha"}, 1},
	{62, "El Kantara", "القنطرة", []string{"El Kantara"}, 1},
	{63, "Barika", "بريكة", []string{"Barika"}, 3},
	{64, "Bou Saâda", "بوسعادة", []string{"Bou Saâda"}, 3},
	{65, "Bir El Ater", "بئر العاتر", []string{"Bir El Ater"}, 2},
	{66, "Ksar El Boukhari", "قصر البخاري", []string{"Ksar El Boukhari"}, 2},
	{67, "Ksar Chellala", "قصر الشلالة", []string{"Ksar Chellala"}, 1},
	{68, "Aïn Oussara", "عين وسارة", []string{"Aïn Oussara"}, 3},
	{69, "Messaad", "مسعد", []string{"Messaad"}, 2},
}
