/** What the invented shop sells, to whom, and what its clerks write into the note. */

export interface Product {
  category: string;
  name: string;
  cents: number;
}

const CATALOGUE: Record<string, [string, number][]> = {
  Electronics: [
    ['Noise-cancelling headphones', 24_900],
    ['USB-C hub, 7 ports', 5_499],
    ['4K monitor 27"', 38_900],
    ['Mechanical keyboard', 12_950],
    ['Laptop stand', 4_200],
    ['Workstation, 64 GB', 284_900],
  ],
  'Home & Kitchen': [
    ['Cast-iron pan', 4_990],
    ['Espresso machine', 64_900],
    ['Linen bedding, double', 11_900],
    ['Knife block, 6 pieces', 13_500],
    ['Glass storage set', 3_250],
  ],
  Books: [
    ['Field guide to mosses', 2_495],
    ['Cooking for one, or two', 1_890],
    ['The long winter', 1_299],
    ['Atlas of rivers', 4_500],
  ],
  Sports: [
    ['Trail running shoes', 13_995],
    ['Yoga mat', 3_900],
    ['Carbon road bike', 219_900],
    ['Climbing rope 60 m', 18_400],
  ],
  Beauty: [
    ['Crème de jour', 3_450],
    ['Shampoo bar', 990],
    ['Sunscreen SPF 50', 1_790],
  ],
  Toys: [
    ['Wooden railway', 5_990],
    ['Puzzle, 1,000 pieces', 1_690],
    ['Kite', 2_290],
  ],
  Garden: [
    ['Raised bed kit', 8_900],
    ['Pruning shears', 2_790],
    ['Seeds: wildflowers', 450],
  ],
};

export const PRODUCTS: readonly Product[] = Object.entries(CATALOGUE).flatMap(([category, products]) =>
  products.map(([name, cents]) => ({ category, name, cents })),
);

export const COUNTRIES = [
  'Germany',
  'United States',
  'France',
  'United Kingdom',
  'Netherlands',
  'Spain',
  'Italy',
  'Japan',
  'Sweden',
  'Poland',
  'Canada',
  'Brazil',
  'Austria',
  "Côte d'Ivoire",
  'Korea, Republic of',
] as const;

export const STATUSES = [
  'completed',
  'completed',
  'completed',
  'completed',
  'shipped',
  'shipped',
  'pending',
  'returned',
  'cancelled',
] as const;

export const CUSTOMERS = [
  'Anna Schmidt',
  'James Carter',
  'Zoë Lefèvre',
  "Siobhán O'Brien",
  'Müller & Söhne GmbH',
  'Acme, Inc.',
  'The "Corner" Shop',
  '大田 健',
  'نور الهدى',
  'José Ángel Núñez',
  'Wright, Patel and Partners',
  'Łukasz Żak',
  'Ingrid Åberg',
  'B. van den Berg',
  'Oriental Trading Co., Ltd.',
  'Maria da Silva',
  'Ola <ola@example.org>',
  'Chloe Kim',
  'Dmitri Ivanov',
  'Studio "N°5", Paris',
] as const;

export const NOTES = [
  'Leave at the door',
  'Gift wrap, please',
  'Customer said "before Friday"',
  'Call first:\n+49 30 000000',
  'Second attempt; neighbour took it, flat 4',
  'Address changed.\r\nSee ticket 4711',
  'Fragile ⚠️',
  'Price agreed by phone, 10 % off',
  '"Urgent"',
  'Regular customer 🙂',
  'B2B: invoice, no cash',
  '<b>Check stock</b> & reply',
  'Line one\nLine two\nLine three',
] as const;
