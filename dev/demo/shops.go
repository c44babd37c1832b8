package demo

// Product is one thing a shop sells.
type Product struct {
	ID    int64 // the shop's own product number
	SKU   string
	Title string
	Price int64 // centimes
}

// Shop is one demo store and the EcoManager shop behind it.
type Shop struct {
	Tenant       string // first label of the tenant's host
	Code         string // our store identifier
	Name         string
	Prefix       string // alphabetic part of its references; chosen upstream, so not the code
	OrdersPerDay float64
	Products     []Product
}

// Shops answers the five demo stores on two tenants. Two of them, one on each tenant, share the prefix SOUK: references alone do not
// tell stores apart, exactly as in real life.
func Shops() []Shop {
	return []Shop{
		{Tenant: "numidia", Code: "DARK", Name: "Dar El Koujina", Prefix: "KUZIN", OrdersPerDay: 80, Products: kitchen()},
		{Tenant: "numidia", Code: "ZINA", Name: "Zina Beauté", Prefix: "ZBEAU", OrdersPerDay: 70, Products: beauty()},
		{Tenant: "numidia", Code: "TEKO", Name: "Teko Gadgets", Prefix: "SOUK", OrdersPerDay: 60, Products: gadgets()},
		{Tenant: "hodna", Code: "NOUR", Name: "Nour Mode", Prefix: "NRMOD", OrdersPerDay: 50, Products: fashion()},
		{Tenant: "hodna", Code: "SIHA", Name: "Siha & Bébé", Prefix: "SOUK", OrdersPerDay: 40, Products: health()},
	}
}

// dinars writes whole dinars as centimes.
func dinars(n int64) int64 { return n * 100 }

func kitchen() []Product {
	return []Product{
		{101, "KZ-COC-24", "Cocotte en granit 24 cm", dinars(5400)},
		{102, "KZ-BLD-8P", "Blender chauffant 8 programmes", dinars(9800)},
		{103, "KZ-SPC-12", "Porte-épices rotatif 12 pots", dinars(2900)},
		{104, "KZ-TAJ-28", "Tajine en céramique 28 cm", dinars(3600)},
		{105, "KZ-COU-06", "Set de 6 couteaux avec bloc", dinars(4200)},
		{106, "KZ-HAC-3L", "Hachoir électrique 3 L", dinars(6500)},
		{107, "", "Balance de cuisine digitale", dinars(1900)},
		{108, "KZ-MOK-6T", "Cafetière moka 6 tasses", dinars(2400)},
	}
}

func beauty() []Product {
	return []Product{
		{201, "ZB-ARG-100", "Huile d'argan pure 100 ml", dinars(1800)},
		{202, "ZB-SER-VC", "Sérum vitamine C 30 ml", dinars(2200)},
		{203, "ZB-LIS-5X", "Brosse lissante chauffante", dinars(4900)},
		{204, "ZB-PAL-18", "Palette maquillage 18 teintes", dinars(2600)},
		{205, "ZB-EPI-IP", "Épilateur à lumière pulsée", dinars(11900)},
		{206, "ZB-SAV-NOI", "Savon noir à l'eucalyptus (lot de 3)", dinars(1500)},
		{207, "ZB-MUS-50", "عطر مسك الطهارة 50 مل", dinars(3200)},
	}
}

func gadgets() []Product {
	return []Product{
		{301, "TK-MNT-S9", "Montre connectée S9", dinars(5900)},
		{302, "TK-ECO-BT", "Écouteurs Bluetooth sans fil", dinars(3400)},
		{303, "TK-CAM-360", "Caméra de surveillance Wi-Fi 360°", dinars(6900)},
		{304, "TK-PWB-20K", "Power bank 20 000 mAh", dinars(3900)},
		{305, "TK-SUP-MAG", "Support téléphone magnétique voiture", dinars(1200)},
		{306, "TK-LMP-SOL", "Lampe solaire détecteur (lot de 2)", dinars(2800)},
		{307, "TK-PRJ-4K", "Mini projecteur portable", dinars(16500)},
	}
}

func fashion() []Product {
	return []Product{
		{401, "NR-ABY-M", "Abaya brodée, taille M", dinars(6200)},
		{402, "NR-ABY-L", "Abaya brodée, taille L", dinars(6200)},
		{403, "NR-SAC-CUI", "Sac à main simili cuir", dinars(4500)},
		{404, "NR-BSK-41", "Baskets légères, pointure 41", dinars(5200)},
		{405, "NR-HJB-SOI", "Hijab en soie de Médine (lot de 3)", dinars(2700)},
		{406, "NR-ENS-ENF", "Ensemble enfant 3 pièces", dinars(3800)},
		{407, "NR-CEI-HOM", "Ceinture homme réversible", dinars(1700)},
	}
}

func health() []Product {
	return []Product{
		{501, "SB-MAS-CER", "Masseur cervical chauffant", dinars(5600)},
		{502, "SB-TEN-BRA", "Tensiomètre bras automatique", dinars(6800)},
		{503, "SB-PBB-ERG", "Porte-bébé ergonomique", dinars(5100)},
		{504, "SB-CHA-BIB", "Chauffe-biberon de voyage", dinars(3300)},
		{505, "SB-SEM-ORT", "Semelles orthopédiques gel", dinars(1600)},
		{506, "SB-COR-DOS", "Correcteur de posture", dinars(2300)},
		{507, "SB-MIE-JUJ", "عسل السدر الجبلي 500 غ", dinars(4800)},
	}
}
